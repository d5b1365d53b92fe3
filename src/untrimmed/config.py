"""What every group of settings is: a frozen dataclass of values, refused when a key is unknown."""

from typing import Any, ClassVar


class Config:
    """A group of settings; subclasses are `@dataclass(frozen=True, kw_only=True)` beside their user.

    `__pydantic_config__` is read at the one door where settings come in from a file.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}
