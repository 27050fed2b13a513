"""Failed measurements that are not recognised are warned of, and more than can have failed."""

from hzau_omics.report.parts.gate import doubt, too_many


def test_modalities_with_failures_that_look_good_are_named() -> None:
    text = doubt({"rna": 0.55, "adt": 0.98})
    assert "hardly tells failed measurements from good ones" in text
    assert "0.55 for rna" in text
    assert "adt" not in text


def test_nothing_is_said_where_failures_are_recognised_or_not_known() -> None:
    assert doubt({"rna": 0.7}) == doubt({}) == ""


def test_more_suspicious_measurements_than_can_have_failed_are_warned_of() -> None:
    text = too_many({"rna": 0.001, "atac": 0.6185})
    assert "implausible share" in text
    assert "62 % for atac" in text
    assert "rna" not in text
    assert too_many({"rna": 0.2}) == ""
