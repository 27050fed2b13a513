"""The exceptions and the warning category of hzau_omics, raised at set-up or at the call."""


class DataContractError(ValueError):
    """The data break a rule; the message states the rule, what was received and a remedy."""


class ConfigError(ValueError):
    """An option is unknown, out of range, or contradicts another one."""


class RegistryError(KeyError):
    """A data set is not in the registry, cannot be found, or fails its checksum."""

    def __str__(self) -> str:
        """Return the message as written (``KeyError`` would show its repr)."""
        return str(self.args[0]) if self.args else ""


class DeviceLostError(RuntimeError):
    """A GPU stopped to answer in the middle of training; what was trained until then is kept."""


class HzauWarning(UserWarning):
    """Something is allowed but probably not intended."""
