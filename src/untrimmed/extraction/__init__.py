"""Videos to features: sampled frames or clips through backbones, video by video, here or on other machines."""
