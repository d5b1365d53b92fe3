"""Any video file to frames with true times, clips, live sources and optical flow."""
