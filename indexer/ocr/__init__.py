"""OCR: engines, reading order of lines, and word spacing."""
