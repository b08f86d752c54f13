"""Any image or video file, decoded."""
