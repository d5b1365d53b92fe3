"""Files of annotation tools that hold no actions with a start and an end: what each is, and what to do instead."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.annotations.formats.json_parts import to_number
from untrimmed.io import BadInput


def refuse_unread_json(path: Path, content: Any) -> None:
    """Raise BadInput for JSON of a tool or data set that has no actions with a start and an end."""
    keys: Mapping[str, Any] = content if isinstance(content, dict) else {}
    annotations = keys.get("annotations")
    listed = [item for item in annotations if isinstance(item, dict)] if isinstance(annotations, list) else []
    if any("gameTime" in item for item in listed):
        raise BadInput(f"{path}: {_describe_soccernet(listed)}")
    if "_via_img_metadata" in keys:
        raise BadInput(
            f"{path}: is a project of VIA 2, with regions in pictures and no times; annotate in VIA 3 for video"
        )
    if isinstance(annotations, list) and "images" in keys and "categories" in keys:
        raise BadInput(
            f"{path}: is COCO's JSON, with regions in pictures and no times; export starts and ends, as in a CSV of "
            "video,start,end,label"
        )


def refuse_unread_text(path: Path, text: str) -> None:
    """Raise BadInput for a table of a tool that has no times."""
    if text.lstrip("#").replace('"', "").startswith("filename,file_size,file_attributes,region_count"):
        raise BadInput(
            f"{path}: is a table of VIA 2, with regions in pictures and no times; annotate in VIA 3 for video"
        )


def _describe_soccernet(listed: list[dict[str, Any]]) -> str:
    """Say what SoccerNet's labels are: moments of the two halves of a game, each half a video."""
    first = next(item for item in listed if "gameTime" in item)
    position = to_number(first.get("position"))
    seconds = f" ({position / 1000:g} s into its half)" if position is not None else ""
    return (
        f"holds {len(listed)} moments of SoccerNet, such as {str(first.get('label'))!r} at "
        f"{str(first['gameTime'])!r}{seconds}, and no actions with a start and an end; write a CSV of "
        "video,start,end,label, with a stretch of time around each moment and a video for each half"
    )
