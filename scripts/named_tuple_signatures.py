"""Show the fields of named tuples in the API pages, with types and shapes, as those of dataclasses are shown."""

from typing import Any

import griffe


class NamedTupleSignatures(griffe.Extension):
    """Give every class that derives from NamedTuple alone the signature of its constructor."""

    def on_class(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        """Add the constructor once a class and its members are read."""
        if [str(base) for base in cls.bases] != ["NamedTuple"] or "__init__" in cls.members:
            return
        cls.labels.add("named tuple")
        fields = [
            member for member in cls.attributes.values() if "property" not in member.labels and member.annotation
        ]
        kind = griffe.ParameterKind.positional_or_keyword
        parameters = griffe.Parameters(
            griffe.Parameter("self", kind=kind),
            *(griffe.Parameter(f.name, annotation=f.annotation, kind=kind, default=f.value) for f in fields),
        )
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters, returns="None", parent=cls))
