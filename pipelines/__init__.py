"""Dataset building and archive runs, on top of `marsgan_tf`."""
