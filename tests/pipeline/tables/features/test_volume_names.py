"""Which feature is the volume, in the spellings of several programs."""

from __future__ import annotations

import pytest

from pipeline.tables.features.volume_names import volume_feature


@pytest.mark.parametrize(
    "name",
    [
        # PyRadiomics, before 2.0, of another image type, with something around it.
        *("original_shape_MeshVolume", "original_shape_VoxelVolume", "original_shape_Volume"),
        *("wavelet-LLH_shape_MeshVolume", "CT_original_shape_MeshVolume_0"),
        # MIRP, LIFEx 5 and 7, CERR, own tables.
        *("morph_volume", "morph_vol_approx", "SHAPE_Volume(mL)", "Shape_volume", "F_morph.vol"),
        "MORPHOLOGICAL_ApproximateVolume(IBSI:YEKZ)[mm3]",
        *("Volume", "volume_ml", "Volume (mm3)", "ROI volume", "tumourVolume", "vertebral_volume"),
    ],
)
def test_a_volume_is_known_by_its_name(name):
    assert volume_feature(["entropy", name]) == name


@pytest.mark.parametrize(
    "name",
    [
        *("original_shape_SurfaceVolumeRatio", "SurfaceVolumeRatio", "morph_vol_dens_aabb"),
        *("VolumeDensity", "volume_change", "zone_volume", "LargeAreaVolume", "blood_volume"),
        *("intensity_volume_histogram", "ivh_v10", "original_firstorder_TotalEnergy", "evolution"),
    ],
)
def test_what_is_no_volume_is_not_taken_for_one(name):
    assert volume_feature([name]) is None


def test_of_several_the_mesh_goes_first_and_then_the_shortest_name():
    names = ["Volume", "original_shape_VoxelVolume", "wavelet-LLH_shape_MeshVolume",
             "original_shape_MeshVolume"]  # fmt: skip
    assert volume_feature(names) == "original_shape_MeshVolume"
    assert volume_feature(["roi_volume_mm3", "volume_ml"]) == "volume_ml"
    assert volume_feature([]) is None
