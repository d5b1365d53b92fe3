"""TV-L1 optical flow, which two-stream networks were fed, of many pairs of frames at once, on a CPU or a GPU."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor

from untrimmed.io import Config

SMALLEST = 16
"""Pixels a side, at least, of a frame and of every level of its pyramid."""

# Pairs to put in order, one after another, that sort five values.
_EXCHANGES = ((0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3))


@dataclass(frozen=True, kw_only=True, slots=True)
class TVL1Config(Config):
    """The settings of TV-L1; the defaults are those of OpenCV contrib's DualTVL1OpticalFlow."""

    tau: float = 0.25
    """The time step of the dual variables."""
    attachment: float = 0.15
    """What a difference of brightness costs, beside the variation of the flow: the paper's lambda."""
    theta: float = 0.3
    """How loosely the flow that explains the frames and the flow that is smooth are tied together."""
    epsilon: float = 0.01
    """A warp is done when an iteration changes the flow by no more than this: root mean square, in pixels."""
    scales: int = 5
    """Levels of the pyramid, the frame itself included. Levels below 16 pixels a side are left out."""
    shrink: float = 0.8
    """The size of a level as a share of the level before it."""
    warps: int = 5
    """How often, on each level, the later frame is warped by the flow so far."""
    rounds: int = 10
    """Rounds of iterations in a warp, at most; a round begins with the median filter."""
    iterations: int = 30
    """Iterations in a round, at most."""
    median: bool = True
    """Whether flow is filtered by the median of 5 x 5 pixels. OpenCV's CUDA version, and so dense_flow, does not."""

    def __post_init__(self) -> None:
        positive = (self.tau, self.attachment, self.theta, self.scales, self.warps, self.rounds, self.iterations)
        if not (min(positive) > 0 and self.epsilon >= 0 and 0 < self.shrink < 1):
            raise ValueError(f"{self}: all numbers must be above 0, shrink below 1; only epsilon may be 0")


class _Data(NamedTuple):
    """The later frame, warped, as a linear function of the flow at each pixel."""

    slopes: Float32[Tensor, "batch 2 height width"]
    """The change of its brightness, a pixel to the right and a pixel down."""
    constant: Float32[Tensor, "batch height width"]
    """How much brighter than the earlier frame it would be, were there no flow."""
    steepness: Float32[Tensor, "batch height width"]
    """The squared length of the slope, kept above 0."""


class _State(NamedTuple):
    """What iterations change."""

    flow: Float32[Tensor, "batch 2 height width"]
    """The displacement to the right and down, in pixels of the level."""
    dual: Float32[Tensor, "batch 2 2 height width"]
    """For each of the two, the dual variable along x and along y."""


@torch.no_grad()
def displacements(
    before: UInt8[Tensor, "batch height width"] | Float[Tensor, "batch height width"],
    after: UInt8[Tensor, "batch height width"] | Float[Tensor, "batch height width"],
    config: TVL1Config = TVL1Config(),
) -> Float32[Tensor, "batch 2 height width"]:
    """How far each pixel of `before` moves, right and down, in pixels, on the device of the frames.

    Frames are grey, of 0 to 255. The method is Zach, Pock and Bischof's (DAGM 2007) in the form of Sanchez,
    Meinhardt-Llopis and Facciolo (IPOL 2013) with the median filter of OpenCV contrib, which is the reference. On
    pairs of 340 x 256 pixels the end points lie this far from those of OpenCV contrib 5.0, on average and at the 95th
    percentile: in a synthetic warp, below 0.0001 pixels both; in a film with a moving camera, 0.004 and 0.010; with
    a still one, 0.009 and 0.027. It is rounding, which grows where frames say little and may tip which iteration is
    the last.

    A pair stops by itself and leaves the batch then, and every operation acts on a pixel or a row in the same order
    whatever the batch: a CPU gives a pair the same flow, bit for bit, in any batch. Raises ValueError for frames of
    two sizes or of fewer than 16 pixels a side, and for no pair at all.
    """
    if before.shape != after.shape or not len(before) or min(before.shape[1:]) < SMALLEST:
        sizes = f"{tuple(before.shape)} and {tuple(after.shape)}"
        raise ValueError(
            f"frames of shape {sizes}: must be alike, one pair or more, at least {SMALLEST} pixels a side"
        )
    earlier, later = _pyramid(before.float(), config), _pyramid(after.float(), config)
    flow = torch.zeros_like(earlier[-1])[:, None].repeat(1, 2, 1, 1)
    for first, second in zip(reversed(earlier), reversed(later), strict=True):
        if flow.shape[2:] != first.shape[1:]:
            flow = _finer(flow, first.shape[1], first.shape[2]) / config.shrink
        flow = _on_one_scale(first, second, flow, config)
    return flow


def _pyramid(frames: Float32[Tensor, "batch height width"], config: TVL1Config) -> list[Tensor]:
    """The frames, and the same ever smaller."""
    levels = [frames]
    while len(levels) < config.scales:
        height, width = (round(side * config.shrink) for side in levels[-1].shape[1:])
        if min(height, width) < SMALLEST:
            break
        ratio = 1 / config.shrink  # as OpenCV has it, not the ratio of the rounded sizes
        levels.append(_resampled(_resampled(levels[-1], -1, width, ratio), -2, height, ratio))
    return levels


def _finer(
    flow: Float32[Tensor, "batch 2 rows columns"], height: int, width: int
) -> Float32[Tensor, "batch 2 height width"]:
    across = _resampled(flow, -1, width, flow.shape[-1] / width)
    return _resampled(across, -2, height, flow.shape[-2] / height)


def _resampled(x: Float32[Tensor, "..."], axis: int, size: int, ratio: float) -> Float32[Tensor, "..."]:
    """`x` at `size` places `ratio` apart along an axis, by linear interpolation between the middles of pixels."""
    place = (torch.arange(size, dtype=torch.float64, device=x.device) + 0.5) * ratio - 0.5
    place = place.clamp(0, x.shape[axis] - 1)
    left = place.long()
    right = (left + 1).clamp(max=x.shape[axis] - 1)
    share = (place - left).to(x.dtype).view([size if i == x.ndim + axis else 1 for i in range(x.ndim)])
    low = x.index_select(axis, left)
    return low + (x.index_select(axis, right) - low) * share


def _on_one_scale(
    before: Float32[Tensor, "batch height width"],
    after: Float32[Tensor, "batch height width"],
    flow: Float32[Tensor, "batch 2 height width"],
    config: TVL1Config,
) -> Float32[Tensor, "batch 2 height width"]:
    """The flow of one level, from that of the level above. The dual variables last from warp to warp."""
    batch, height, width = before.shape
    state = _State(flow, flow.new_zeros(batch, 2, 2, height, width))
    images = torch.cat([after[:, None], _slopes(after)], 1)
    for _ in range(config.warps):
        state = _minimised(_linear(before, images, state.flow), state, config)
    return state.flow


def _slopes(image: Float32[Tensor, "batch height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """Half the difference of the neighbours on both sides; a pixel of the border is its own neighbour outside."""
    wide = F.pad(image[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    right = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    return torch.stack([right, down], 1) * 0.5


def _linear(
    before: Float32[Tensor, "batch height width"],
    images: Float32[Tensor, "batch 3 height width"],
    flow: Float32[Tensor, "batch 2 height width"],
) -> _Data:
    """The later frame and its slopes (`images`), warped by the flow: bicubic, black outside."""
    height, width = before.shape[1:]
    # Shares of the frame in single precision miss the pixels by so much that a still picture would seem to move.
    x = torch.arange(width, device=flow.device, dtype=torch.float64) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=torch.float64)[:, None] + flow[:, 1]
    places = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], -1)
    warped = F.grid_sample(images.double(), places, mode="bicubic", padding_mode="zeros", align_corners=True).float()
    slopes = warped[:, 1:].contiguous()
    across, squares = slopes * flow, slopes.square()
    constant = warped[:, 0] - across[:, 0] - across[:, 1] - before
    steepness = (squares[:, 0] + squares[:, 1]).clamp(min=torch.finfo(torch.float32).eps)
    return _Data(slopes, constant, steepness)


def _minimised(data: _Data, state: _State, config: TVL1Config) -> _State:
    """Iterations until each pair's flow hardly changes. A pair that is done leaves those that go on."""
    result = _State(torch.empty_like(state.flow), torch.empty_like(state.dual))
    rows = torch.arange(len(state.flow), device=state.flow.device)
    for step in range(config.rounds * config.iterations):
        if config.median and step % config.iterations == 0:
            state = state._replace(flow=_median(state.flow))
        new = _iterated(data, state, config)
        going = _changed(state.flow, new.flow, config.epsilon)
        state = new
        if going.all():
            continue
        result.flow[rows[~going]], result.dual[rows[~going]] = state.flow[~going], state.dual[~going]
        data, state, rows = _Data(*(x[going] for x in data)), _State(*(x[going] for x in state)), rows[going]
        if not len(rows):
            break
    result.flow[rows], result.dual[rows] = state.flow, state.dual
    return result


def _changed(
    old: Float32[Tensor, "batch 2 height width"], new: Float32[Tensor, "batch 2 height width"], epsilon: float
) -> Bool[Tensor, " batch"]:
    """Whether the flow of each pair changed by more than `epsilon`, root mean square."""
    # Row by row first: that adds up in the same order whatever the batch.
    squares = (new - old).square_().sum(-1).double().sum((1, 2))
    return squares > epsilon**2 * old.shape[2] * old.shape[3]


def _iterated(data: _Data, state: _State, config: TVL1Config) -> _State:
    """One iteration: towards the data, towards smoothness, and the dual variables after the new flow.

    Plain products and sums only, in place where possible: fused ones round differently by the place in memory.
    """
    flow, dual = state
    across = data.slopes * flow
    rho = across[:, 0].add_(across[:, 1]).add_(data.constant)
    # The thresholding step of the paper: all of the way to rho = 0, or as far as the attachment allows.
    bound = config.attachment * config.theta
    step = rho.neg_().div_(data.steepness).clamp_(-bound, bound)
    new = flow + data.slopes * step[:, None]
    new += _divergence(dual).mul_(config.theta)
    pull = _differences(new).mul_(config.tau / config.theta)
    squares = pull.square()
    length = squares[:, :, 0].add_(squares[:, :, 1]).sqrt_().add_(1)
    return _State(new, pull.add_(dual).div_(length[:, :, None]))


def _divergence(dual: Float32[Tensor, "batch 2 2 height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """Differences to the pixel before; outside the frame is zero. It is the negative adjoint of `_differences`."""
    total = dual[:, :, 0] + dual[:, :, 1]
    total[..., 1:] -= dual[:, :, 0, :, :-1]
    total[..., 1:, :] -= dual[:, :, 1, :-1]
    return total


def _differences(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 2 height width"]:
    """Differences to the next pixel, along x and along y; zero at the last."""
    result = flow.new_zeros(*flow.shape[:2], 2, *flow.shape[2:])
    torch.sub(flow[..., 1:], flow[..., :-1], out=result[:, :, 0, :, :-1])
    torch.sub(flow[..., 1:, :], flow[..., :-1, :], out=result[:, :, 1, :-1])
    return result


def _median(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """The median of 5 x 5 pixels around each; outside, the border goes on."""
    if flow.device.type != "cpu":
        return _median_by_exchanges(flow)
    # OpenCV's filter gives the same values in a tenth of the time.
    planes = [cv2.medianBlur(plane, 5) for plane in flow.flatten(0, 1).numpy()]
    return torch.from_numpy(np.stack(planes)).view(flow.shape)


def _median_by_exchanges(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """The same by minima and maxima of whole planes: the 5 x 5 values by columns, by rows, then those left."""
    height, width = flow.shape[2:]
    wide = F.pad(flow, (2, 2, 2, 2), mode="replicate")
    ranks = _sorted_five([wide[..., i : i + height, :] for i in range(5)])
    table = [_sorted_five([rank[..., j : j + width] for j in range(5)]) for rank in ranks]
    # Of 25 values in order both ways, those above or below 13 others cannot be the median; as many go on each side.
    left = [table[i][j] for i in range(5) for j in range(5) if (i + 1) * (j + 1) <= 13 >= (5 - i) * (5 - j)]
    return _middle(left)


def _sorted_five(planes: list[Tensor]) -> list[Tensor]:
    for low, high in _EXCHANGES:
        _exchange(planes, low, high)
    return planes


def _middle(planes: list[Tensor]) -> Tensor:
    """The median of an odd number of planes: of half of them and two, the least and the greatest go; one comes in."""
    half = len(planes) // 2 + 1
    kept = planes[:half]
    for plane in planes[half:]:
        kept.append(plane)
        count = len(kept)
        for i in range(count // 2):
            _exchange(kept, i, count - 1 - i)
        for i in range(1, (count + 1) // 2):
            _exchange(kept, 0, i)
        for i in range(count // 2, count - 1):
            _exchange(kept, i, count - 1)
        kept = kept[1:-1]
    return kept[0]


def _exchange(planes: list[Tensor], low: int, high: int) -> None:
    planes[low], planes[high] = torch.minimum(planes[low], planes[high]), torch.maximum(planes[low], planes[high])
