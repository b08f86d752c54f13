"""ORB keypoints of pictures, and an index of them that finds pictures with the same ones."""
