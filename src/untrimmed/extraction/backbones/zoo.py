"""The table of published networks whose weights a user can bring: how to build each, its input and its output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from untrimmed.extraction.backbones import bn_inception, c3d, i3d, p3d, resnet, senet
from untrimmed.extraction.backbones.preprocessing import PictureSize, Preprocessing
from untrimmed.extraction.backbones.weights import Rename, load_weights, read_weights, rename_weights
from untrimmed.io import BadInput


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A published network for one stream."""

    name: str
    """The name that users give on the command line."""
    network: Callable[[int, int], nn.Module]
    """Builds it for a number of channels and a number of classes, with random weights."""
    head: str
    """The parameter that has a row for each class: the file decides how many classes there are."""
    width: int
    """Channels of a feature vector."""
    preprocessing: Preprocessing
    """The steps from the pictures of one clip to its input."""
    stride: int
    """Frames from one clip to the next."""
    fps: float | None
    """The frames a second of `stride`; None is the video's own. Flow is always between successive frames of the
    video, also that of one stack."""
    origin: str
    """The usual source of its weights."""
    renames: tuple[Rename, ...] = ()
    """The names of other projects for its parts, and its own."""


def find_backbone(name: str) -> Backbone:
    """Find a backbone by its name. Raises BadInput where there is none."""
    if name not in BACKBONES:
        raise BadInput(f"backbone={name!r} is no network that is known here; choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def load_backbone(backbone: Backbone, path: Path) -> nn.Module:
    """Load the network with the weights in a file, for inference, on the CPU.

    Names with wrappers' prefixes or of other projects are understood, and any number of classes is taken. Raises
    BadInput for a file that is absent, unreadable or of another network.
    """
    if not path.exists():
        raise BadInput(
            f"{path}: no such file; weights of {backbone.name} are not part of this package: they usually come "
            f"from {backbone.origin}, so download them there and name the file"
        )
    weights = rename_weights(path, read_weights(path), backbone.renames)
    rows = weights[backbone.head].shape if backbone.head in weights else ()
    with torch.device("meta"):
        # `load_weights` refuses a file without the head.
        network = backbone.network(backbone.preprocessing.channels, rows[0] if rows else 1)
    return load_weights(path, weights, network, backbone.name, f"it takes those of {backbone.origin}")


@torch.inference_mode()
def embed_clips(network: nn.Module, clips: Float[Tensor, "batch ..."]) -> Float[np.ndarray, "batch channels"]:
    """Compute the feature vectors of inputs that `preprocess_clip` built, stacked, on the device of the network."""
    device = next(network.parameters()).device
    return network(clips.to(device)).cpu().numpy()


_I3D_RGB = Preprocessing(
    stream="rgb", frames=16, resize=256, crop=224, mean=(127.5,) * 3, std=(127.5,) * 3
)  # -1 to 1, as DeepMind has it
_I3D_FLOW = replace(_I3D_RGB, stream="flow", mean=(127.5,) * 2, std=(127.5,) * 2)
_C3D_RGB = Preprocessing(
    stream="rgb",
    frames=16,
    resize=PictureSize(128, 171),
    crop=112,
    mean=(90.0, 98.0, 102.0),  # of each channel; Caffe's own file has a mean for each pixel
    std=(1.0, 1.0, 1.0),
    order="BGR",
)
_P3D_RGB = Preprocessing(
    stream="rgb",
    frames=16,
    resize=PictureSize(182, 242),  # of the paper, whatever the aspect of the video
    crop=160,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
)
# pseudo-3d-pytorch and tsn-pytorch: flow of 0 to 1, less a half, by the mean of ImageNet's three deviations.
_P3D_FLOW = replace(_P3D_RGB, stream="flow", mean=(127.5,) * 2, std=(57.63,) * 2)
_TSN_RGB = replace(_P3D_RGB, frames=1, resize=256, crop=224, layout="stack")
_TSN_FLOW = replace(_P3D_FLOW, frames=5, resize=256, crop=224, layout="stack")
_CAFFE_RGB = replace(_TSN_RGB, mean=(104.0, 117.0, 128.0), std=(1.0,) * 3, order="BGR")
_CAFFE_FLOW = replace(_TSN_FLOW, mean=(128.0,) * 2, std=(1.0,) * 2)
# OpenMMLab's; a ResNet that tsn-pytorch trained saw _TSN_FLOW.
_RESNET_FLOW = replace(_TSN_FLOW, mean=(128.0,) * 2, std=(128.0,) * 2)

_I3D = Backbone(
    name="i3d-rgb",
    network=i3d.I3D,
    head="logits.conv3d.weight",
    width=i3d.WIDTH,
    preprocessing=_I3D_RGB,
    stride=4,  # on THUMOS'14; Zhang et al., ECCV 2022 (ActionFormer)
    fps=None,
    origin="piergiaj's pytorch-i3d (rgb_imagenet.pt)",
)
_C3D = Backbone(
    name="c3d",
    network=c3d.C3D,
    head="fc8.weight",
    width=c3d.WIDTH,
    preprocessing=_C3D_RGB,
    stride=8,
    fps=None,
    origin="DavideA's c3d-pytorch (c3d.pickle, of Sports-1M)",
)
_P3D = Backbone(
    name="p3d199-rgb",
    network=p3d.P3D199,
    head="fc.weight",
    width=p3d.WIDTH,
    preprocessing=_P3D_RGB,
    stride=8,  # Long et al., CVPR 2019 (GTAN)
    fps=None,
    origin="qijiezhao's pseudo-3d-pytorch (p3d_rgb_199.checkpoint.pth.tar)",
)
_BN_INCEPTION = Backbone(
    name="tsn-bn-inception-rgb",
    network=bn_inception.BNInception,
    head="fc.weight",
    width=bn_inception.WIDTH,
    preprocessing=_CAFFE_RGB,
    stride=1,
    fps=5.0,  # Section 4.1 of the paper of C-TCN
    origin="yjxiong's tsn-pytorch (kinetics_tsn_rgb.pth, or what it trained)",
    renames=(Rename(r"^(?:new_fc|last_linear)\.", "fc."),),
)
_RESNET = replace(
    _BN_INCEPTION,
    name="tsn-resnet50-rgb",
    network=resnet.ResNet50,
    width=resnet.WIDTH,
    preprocessing=_TSN_RGB,
    origin="OpenMMLab's MMAction2 (TSN, ResNet-50) or torchvision",
    renames=(
        Rename(r"^(?:new_fc|cls_head\.fc_cls)\.", "fc."),
        Rename(r"^(layer\d\.\d+\.)?conv(\d)\.conv\.", r"\1conv\2."),
        Rename(r"^(layer\d\.\d+\.)?conv(\d)\.bn\.", r"\1bn\2."),
        Rename(r"^(layer\d\.\d+\.downsample)\.conv\.", r"\1.0."),
        Rename(r"^(layer\d\.\d+\.downsample)\.bn\.", r"\1.1."),
    ),
)
_SENET = replace(
    _BN_INCEPTION,
    name="tsn-senet154-rgb",
    network=partial(senet.SENet, senet.SENET154),
    head="last_linear.weight",
    width=senet.WIDTH,
    preprocessing=_TSN_RGB,
    origin="Cadene's pretrained-models.pytorch (senet154), or a TSN trained from it",
    renames=(Rename(r"^new_fc\.", "last_linear."),),
)
_SE_RESNET = replace(
    _SENET,
    name="tsn-se-resnet152-rgb",
    network=partial(senet.SENet, senet.SE_RESNET152),
    origin="Cadene's pretrained-models.pytorch (se_resnet152), or a TSN trained from it",
)


def _for_flow(rgb: Backbone, preprocessing: Preprocessing, origin: str) -> Backbone:
    """Return the same network with the preprocessing of optical flow."""
    return replace(rgb, name=rgb.name.replace("-rgb", "-flow"), preprocessing=preprocessing, origin=origin)


_ALL = (
    _I3D,
    _for_flow(_I3D, _I3D_FLOW, "piergiaj's pytorch-i3d (flow_imagenet.pt)"),
    _C3D,
    _P3D,
    _for_flow(_P3D, _P3D_FLOW, "qijiezhao's pseudo-3d-pytorch (p3d_flow_199.checkpoint.pth.tar)"),
    _BN_INCEPTION,
    _for_flow(_BN_INCEPTION, _CAFFE_FLOW, "yjxiong's tsn-pytorch (kinetics_tsn_flow.pth, or what it trained)"),
    _RESNET,
    _for_flow(_RESNET, _RESNET_FLOW, "OpenMMLab's MMAction2 (TSN, ResNet-50, optical flow)"),
    _SENET,
    _for_flow(_SENET, _TSN_FLOW, "a TSN of flow trained from Cadene's senet154"),
    _SE_RESNET,
    _for_flow(_SE_RESNET, _TSN_FLOW, "a TSN of flow trained from Cadene's se_resnet152"),
)

BACKBONES: Mapping[str, Backbone] = MappingProxyType({backbone.name: backbone for backbone in _ALL})
"""Every backbone by its name."""
