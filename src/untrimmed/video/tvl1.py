"""Computes TV-L1 optical flow, the input of two-stream networks, of many pairs of frames, on a CPU or a GPU."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from untrimmed.io import Config

SMALLEST = 16
"""Pixels a side, at least, of a frame and of every level of its pyramid."""


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
def compute_tvl1_flow(
    first: UInt8[Tensor, "batch height width"] | Float[Tensor, "batch height width"],
    second: UInt8[Tensor, "batch height width"] | Float[Tensor, "batch height width"],
    config: TVL1Config = TVL1Config(),
) -> Float32[Tensor, "batch 2 height width"]:
    """Compute how far each pixel of `first` moves to be in `second`: right and down, in pixels, on their device.

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
    if first.shape != second.shape or not len(first) or min(first.shape[1:]) < SMALLEST:
        sizes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(
            f"frames of shape {sizes}: must be alike, one pair or more, at least {SMALLEST} pixels a side"
        )
    pyramids = _build_pyramid(first.float(), config), _build_pyramid(second.float(), config)
    flow = torch.zeros_like(pyramids[0][-1])[:, None].repeat(1, 2, 1, 1)
    for earlier, later in zip(*map(reversed, pyramids), strict=True):
        if flow.shape[2:] != earlier.shape[1:]:
            flow = _resize(flow, earlier.shape[1], earlier.shape[2]) / config.shrink
        flow = _compute_level(earlier, later, flow, config)
    return flow


def _build_pyramid(frames: Float32[Tensor, "batch height width"], config: TVL1Config) -> list[Tensor]:
    """Scale the frames down, level by level; the first level is the frames themselves."""
    levels = [frames]
    while len(levels) < config.scales:
        height, width = (round(side * config.shrink) for side in levels[-1].shape[1:])
        if min(height, width) < SMALLEST:
            break
        levels.append(_resize(levels[-1], height, width, 1 / config.shrink))  # as OpenCV, not by the rounded sizes
    return levels


def _resize(x: Float32[Tensor, "... rows columns"], height: int, width: int, ratio: float | None = None) -> Tensor:
    """Interpolate to a size; new pixels lie `ratio` old ones apart, by default the ratio of the sizes."""
    across = _interpolate(x, -1, width, ratio or x.shape[-1] / width)
    return _interpolate(across, -2, height, ratio or x.shape[-2] / height)


def _interpolate(x: Float32[Tensor, "..."], axis: int, size: int, ratio: float) -> Float32[Tensor, "..."]:
    """Interpolate linearly along an axis at `size` places `ratio` apart, between the middles of pixels."""
    place = (torch.arange(size, dtype=torch.float64, device=x.device) + 0.5) * ratio - 0.5
    place = place.clamp(0, x.shape[axis] - 1)
    low = place.long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    share = (place - low).to(x.dtype).view([size if i == x.ndim + axis else 1 for i in range(x.ndim)])
    below = x.index_select(axis, low)
    return below + (x.index_select(axis, high) - below) * share


def _compute_level(
    earlier: Float32[Tensor, "batch height width"],
    later: Float32[Tensor, "batch height width"],
    flow: Float32[Tensor, "batch 2 height width"],
    config: TVL1Config,
) -> Float32[Tensor, "batch 2 height width"]:
    """Compute the flow of one level from that of the level above. The dual variables stay from warp to warp."""
    batch, height, width = earlier.shape
    state = _State(flow, flow.new_zeros(batch, 2, 2, height, width))
    images = torch.cat([later[:, None], _gradient(later)], 1)
    for _ in range(config.warps):
        state = _minimise(_linearize(earlier, images, state.flow), state, config)
    return state.flow


def _gradient(image: Float32[Tensor, "batch height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """Compute half the difference of the neighbours on both sides; the border is repeated outside."""
    wide = F.pad(image[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    right = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    return torch.stack([right, down], 1) * 0.5


def _linearize(
    earlier: Float32[Tensor, "batch height width"],
    images: Float32[Tensor, "batch 3 height width"],
    flow: Float32[Tensor, "batch 2 height width"],
) -> _Data:
    """Warp the later frame and its slopes (`images`) by the flow: bicubic, black outside."""
    height, width = earlier.shape[1:]
    # Shares of the frame in single precision miss the pixels by so much that a still picture would seem to move.
    x = torch.arange(width, device=flow.device, dtype=torch.float64) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=torch.float64)[:, None] + flow[:, 1]
    places = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], -1)
    warped = F.grid_sample(images.double(), places, mode="bicubic", padding_mode="zeros", align_corners=True).float()
    slopes = warped[:, 1:].contiguous()
    across, squares = slopes * flow, slopes.square()
    constant = warped[:, 0] - across[:, 0] - across[:, 1] - earlier
    steepness = (squares[:, 0] + squares[:, 1]).clamp(min=torch.finfo(torch.float32).eps)
    return _Data(slopes, constant, steepness)


def _minimise(data: _Data, state: _State, config: TVL1Config) -> _State:
    """Iterate until each pair's flow hardly changes. A pair that has converged leaves the batch."""
    result = _State(torch.empty_like(state.flow), torch.empty_like(state.dual))
    rows = torch.arange(len(state.flow), device=state.flow.device)
    for step in range(config.rounds * config.iterations):
        if config.median and step % config.iterations == 0:
            state = state._replace(flow=_median(state.flow))
        new = _iterate(data, state, config)
        # Row by row first: that adds up in the same order whatever the batch.
        squares = (new.flow - state.flow).square_().sum(-1).double().sum((1, 2))
        going = squares > config.epsilon**2 * state.flow.shape[2] * state.flow.shape[3]
        state = new
        if going.all():
            continue
        result.flow[rows[~going]], result.dual[rows[~going]] = state.flow[~going], state.dual[~going]
        data, state, rows = _Data(*(x[going] for x in data)), _State(*(x[going] for x in state)), rows[going]
        if not len(rows):
            break
    result.flow[rows], result.dual[rows] = state.flow, state.dual
    return result


def _iterate(data: _Data, state: _State, config: TVL1Config) -> _State:
    """Run one iteration: towards the data, towards smoothness, then the dual variables of the new flow.

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
    """Compute differences to the previous pixel, zero outside the frame: the negative adjoint of `_differences`."""
    total = dual[:, :, 0] + dual[:, :, 1]
    total[..., 1:] -= dual[:, :, 0, :, :-1]
    total[..., 1:, :] -= dual[:, :, 1, :-1]
    return total


def _differences(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 2 height width"]:
    """Compute differences to the next pixel, along x and along y; zero at the last."""
    result = flow.new_zeros(*flow.shape[:2], 2, *flow.shape[2:])
    torch.sub(flow[..., 1:], flow[..., :-1], out=result[:, :, 0, :, :-1])
    torch.sub(flow[..., 1:, :], flow[..., :-1, :], out=result[:, :, 1, :-1])
    return result


def _median(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """Filter by the median of the 5 x 5 pixels around each; outside, the border is repeated."""
    if flow.device.type != "cpu":
        return _median_by_exchanges(flow)
    # OpenCV's filter gives the same values in a tenth of the time.
    planes = [cv2.medianBlur(plane, 5) for plane in flow.flatten(0, 1).numpy()]
    return torch.from_numpy(np.stack(planes)).view(flow.shape)


def _median_by_exchanges(flow: Float32[Tensor, "batch 2 height width"]) -> Float32[Tensor, "batch 2 height width"]:
    """Compute the same by minima and maxima of whole planes: sort the 5 x 5 values by columns, then by rows."""
    height, width = flow.shape[2:]
    wide = F.pad(flow, (2, 2, 2, 2), mode="replicate")
    ranks = _sort([wide[..., i : i + height, :] for i in range(5)])
    table = [_sort([rank[..., j : j + width] for j in range(5)]) for rank in ranks]
    # Of 25 values in order both ways, those above or below 13 others cannot be the median; as many go on each side.
    planes = [table[i][j] for i in range(5) for j in range(5) if (i + 1) * (j + 1) <= 13 >= (5 - i) * (5 - j)]
    return _select_median(planes)


def _sort(planes: list[Tensor]) -> list[Tensor]:
    """Sort the values at each pixel over a few planes, in place."""
    for last in range(len(planes) - 1, 0, -1):
        for i in range(last):
            _exchange(planes, i, i + 1)
    return planes


def _select_median(planes: list[Tensor]) -> Tensor:
    """Select the median of an odd number of planes.

    Of half of them and two, the least and the greatest cannot be the median: they go, and one more comes in.
    """
    half = len(planes) // 2 + 1
    candidates = planes[:half]
    for plane in planes[half:]:
        candidates.append(plane)
        count = len(candidates)
        for i in range(count // 2):
            _exchange(candidates, i, count - 1 - i)
        for i in range(1, (count + 1) // 2):
            _exchange(candidates, 0, i)
        for i in range(count // 2, count - 1):
            _exchange(candidates, i, count - 1)
        candidates = candidates[1:-1]
    return candidates[0]


def _exchange(planes: list[Tensor], low: int, high: int) -> None:
    planes[low], planes[high] = torch.minimum(planes[low], planes[high]), torch.maximum(planes[low], planes[high])
