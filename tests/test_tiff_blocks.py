import pytest
import rasters
from tile_writing import noise, opened

from marsgan_tf.imaging import tiff_blocks


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize("layout", ["tiles", "strips"])
@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_blocks_lie_where_gdal_says(tmp_path, big, layout, order):
    sides = {"blockxsize": 32, "blockysize": 16} if layout == "tiles" else {}
    path = rasters.write_gdal(
        tmp_path / "a.tif",
        noise(),
        "GTiff",
        BIGTIFF=big,
        ENDIANNESS=order,
        tiled=layout == "tiles",
        compress="deflate",
        **sides,
    )
    (found,) = tiff_blocks.directories(path)
    with opened(path) as dataset:
        expected = [
            tuple(
                int(dataset.get_tag_item(f"{name}_{x}_{y}", "TIFF", bidx=1))
                for name in ("BLOCK_OFFSET", "BLOCK_SIZE")
            )
            for (y, x), _ in dataset.block_windows(1)
        ]
    assert found == expected


def test_cut_directories_are_told(tmp_path):
    path = tmp_path / "a.tif"
    for content in (b"", b"II", b"II*\0\x10\0\0\0", b"PNG and more"):
        path.write_bytes(content)
        with pytest.raises(OSError, match="directories cannot be read"):
            tiff_blocks.directories(str(path))
