"""Define the settings sections for framing and choosing pictures.

Descriptions and docstrings of sections are help text: `--help-all` and the docs print them.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from fastface.choices import DOUBLE_COSINE, PROFILE_YAW
from fastface.config.values import HashBits, Seconds, Section, Share, Shown, Similarity, Weight


class BodyConfig(Section):
    """Framing of body crops. The crop with the lowest cost is chosen; weights say what each fault adds to the cost."""

    growth: Weight = Field(
        1.0, description="Weight of the area outside the person's box. The unit is the area of the box."
    )
    estimate_trust: Share = Field(
        0.5, description="Share of body.growth that counts if the person's box is only estimated."
    )
    cut: Weight = Field(30.0, description="Weight of the share of the face that the crop cuts off.")
    side: Weight = Field(3.0, description="Weight of a face near the left or right edge.")
    top: Weight = Field(3.0, description="Weight of a face near the top edge.")
    headroom: Weight = Field(3.0, description="Weight of too much room above the head.")
    torso: Weight = Field(3.0, description="Weight of a torso that the crop cuts off.")
    large: Weight = Field(3.0, description="Weight of a face that is too large.")
    small: Weight = Field(3.0, description="Weight of a face that is too small.")
    aim: Weight = Field(1.0, description="Weight of the distance from the ideal centre.")
    side_room: float = Field(0.5, gt=0, le=10, description="Minimum room beside the face, in face widths.")
    head_room: float = Field(0.6, gt=0, le=10, description="Minimum room above the face, for hair, in face heights.")
    max_headroom: Share = Field(0.12, description="Maximum room above the hair, as a share of the crop's height.")
    torso_room: float = Field(1.5, gt=0, le=10, description="Minimum room below the face, in face heights.")
    largest_face: float = Field(0.42, gt=0, le=1, description="Maximum face height, as a share of the crop's height.")
    smallest_face: float = Field(0.18, gt=0, le=1, description="Minimum face height, as a share of the crop's height.")
    shift_down: float = Field(
        1.1, ge=0, le=10, description="Distance of the ideal centre below the face's centre, in face heights."
    )


class CurateConfig(Section):
    """Choice of pictures for a balanced set."""

    max_pictures: Annotated[int, Shown(is_usual=True)] = Field(
        200, ge=1, le=100_000, alias="max", description="Maximum number of pictures to keep."
    )
    min_pictures: int = Field(
        20,
        ge=0,
        le=100_000,
        alias="min",
        description="Number of pictures below which the choice is less strict. Then cut-off faces and several pictures "
        "of one moment are kept too.",
    )
    moment: Seconds = Field(1.5, description="Minimum time between two pictures of a video. The best one is kept.")
    close_up: Share = Field(
        0.25, description="Share of close-ups in the set. Places that stay free go to the other framings."
    )
    portrait: Share = Field(0.40, description="Share of portraits in the set.")
    half: Share = Field(0.20, description="Share of half figures in the set.")
    full: Share = Field(0.15, description="Share of full figures in the set.")
    profile: Share = Field(0.10, description="Maximum share of profiles in the set.")
    close_up_face: Share = Field(0.36, description="Minimum face height of a close-up, as a share of the picture's.")
    portrait_face: Share = Field(0.20, description="Minimum face height of a portrait, as a share of the picture's.")
    half_face: Share = Field(0.12, description="Minimum face height of a half figure, as a share of the picture's.")
    frontal_yaw: Annotated[float, Shown("DEGREES")] = Field(
        20.0, ge=0, le=90, description="Maximum turn of a head that is frontal."
    )
    profile_yaw: Annotated[float, Shown("DEGREES")] = Field(
        PROFILE_YAW, ge=0, le=90, description="Minimum turn of a head that is a profile."
    )
    scene_distance: HashBits = Field(14, description="Maximum difference of the hashes of neighbours in one scene.")
    scene_similarity: Similarity = Field(0.75, description="Minimum similarity of neighbours in one scene.")
    scene_gap: Seconds = Field(10.0, description="Maximum time between neighbours in one scene.")
    double_distance: HashBits = Field(8, description="Maximum difference of the hashes of duplicates in one scene.")
    double_distance_apart: HashBits = Field(
        7, description="Maximum difference of the hashes of duplicates in different scenes."
    )
    double_similarity: Similarity = Field(
        DOUBLE_COSINE, description="Minimum similarity of duplicates in one scene and pose."
    )
    identity: Share = Field(0.45, description="Weight of the similarity to the person.")
    sharpness: Share = Field(0.30, description="Weight of sharpness.")
    exposure: Share = Field(0.20, description="Weight of exposure.")
    face: Share = Field(0.05, description="Weight of the detector's score.")
    border_penalty: Share = Field(0.50, description="Penalty for black borders, times their share of the picture.")
    text_penalty: Share = Field(0.30, description="Penalty for text, times its share of the picture's width.")
    relevance: Share = Field(
        0.75, description="Weight of quality. The rest is the weight of the difference from pictures chosen before."
    )

    @model_validator(mode="after")
    def _classes_in_order(self) -> Self:
        if not self.half_face <= self.portrait_face <= self.close_up_face:
            raise ValueError("half_face, portrait_face and close_up_face must rise in this order")
        if self.frontal_yaw > self.profile_yaw:
            raise ValueError(f"frontal_yaw {self.frontal_yaw:g} is above profile_yaw {self.profile_yaw:g}")
        return self
