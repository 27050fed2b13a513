from hzau_omics.messages import did_you_mean, listed


def test_listed_shows_the_limit_and_counts_the_rest():
    assert listed([1, 2]) == "'1', '2'"
    assert listed("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
    assert listed([]) == "none"


def test_did_you_mean_is_silent_without_a_close_name():
    assert did_you_mean("batc", ["batch", "age"]) == " Did you mean 'batch'?"
    assert did_you_mean("zzz", ["batch", "age"]) == ""
