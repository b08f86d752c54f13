"""What Pillow does not read of a format as browsers do: frames, rare bitmaps and icons, coded colors."""
