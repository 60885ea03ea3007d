"""The sections of the settings that say how pictures are framed and chosen."""

from typing import Self

from pydantic import Field, model_validator

from fastface.config.values import HashBits, Seconds, Section, Share, Similarity, Weight
from fastface.types import DOUBLE_COSINE, PROFILE_YAW


class BodyConfig(Section):
    """How a body crop is framed: weights of the parts of its score, which is least for the best, and their limits."""

    growth: Weight = Field(1.0, description="Weight of the area outside the person's box, in areas of that box.")
    estimate_trust: float = Field(0.5, ge=0, le=1, description="Share of that weight where the box is an estimate.")
    cut: Weight = Field(30.0, description="Weight of the share of the face that is cut off.")
    side: Weight = Field(3.0, description="Weight of a face near the left or right side.")
    top: Weight = Field(3.0, description="Weight of a face near the top.")
    headroom: Weight = Field(3.0, description="Weight of too much room above the head.")
    torso: Weight = Field(3.0, description="Weight of a missing lower torso.")
    large: Weight = Field(3.0, description="Weight of a face that is too large.")
    small: Weight = Field(3.0, description="Weight of a face that is too small.")
    aim: Weight = Field(1.0, description="Weight of the distance from the point aimed at.")
    side_room: float = Field(0.5, gt=0, le=10, description="Least room beside the face, in face widths.")
    head_room: float = Field(0.6, gt=0, le=10, description="Least room above the face, in face heights: its hair.")
    max_headroom: float = Field(0.12, ge=0, le=1, description="Most room above that, as a share of the crop's height.")
    torso_room: float = Field(1.5, gt=0, le=10, description="Least body below the face, in face heights.")
    largest_face: float = Field(0.42, gt=0, le=1, description="Largest face, as a share of the crop's height.")
    smallest_face: float = Field(0.18, gt=0, le=1, description="Smallest face, as a share of the crop's height.")
    shift_down: float = Field(1.1, ge=0, le=10, description="Aim below the face's centre, in face heights.")


class CurateConfig(Section):
    """Choice of pictures for a balanced set. Quotas are shares of `max`; weights and limits are of one picture."""

    max_pictures: int = Field(200, ge=1, le=100_000, alias="max", description="Maximum number of pictures to keep.")
    min_pictures: int = Field(
        20, ge=0, le=100_000, alias="min", description="With fewer, pictures of one moment and cut-off faces stay too."
    )
    moment: Seconds = Field(1.5, description="Pictures of one film that are nearer in time are one moment: one stays.")
    close_up: Share = Field(0.25, description="Quota of close-ups; what a class cannot fill is dealt to the others.")
    portrait: Share = Field(0.40, description="Quota of portraits.")
    half: Share = Field(0.20, description="Quota of half figures.")
    full: Share = Field(0.15, description="Quota of full figures.")
    profile: Share = Field(0.10, description="Most profiles, as a share of the set.")
    close_up_face: Share = Field(0.36, description="Least height of a close-up's face, as a share of the picture's.")
    portrait_face: Share = Field(0.20, description="The same of a portrait; at most that of a close-up.")
    half_face: Share = Field(0.12, description="The same of a half figure; at most that of a portrait.")
    frontal_yaw: float = Field(20.0, ge=0, le=90, description="A head turned by less, in degrees, is frontal.")
    profile_yaw: float = Field(PROFILE_YAW, ge=0, le=90, description="A head turned by so much is a profile.")
    scene_distance: HashBits = Field(14, description="Differing bits of the hash up to which neighbours are one scene.")
    scene_similarity: Similarity = Field(0.75, description="Cosine from which neighbours are one scene.")
    scene_gap: Seconds = Field(10.0, description="Neighbours farther apart are two scenes, where times are known.")
    double_distance: HashBits = Field(8, description="Differing bits up to which two pictures of a scene are doubles.")
    double_distance_apart: HashBits = Field(7, description="The same of pictures of different scenes.")
    double_similarity: Similarity = Field(
        DOUBLE_COSINE, description="Cosine that makes two of a scene and pose doubles."
    )
    identity: Share = Field(0.45, description="Weight of the similarity to the person.")
    sharpness: Share = Field(0.30, description="Weight of sharpness.")
    exposure: Share = Field(0.20, description="Weight of exposure.")
    face: Share = Field(0.05, description="Weight of the detector's score.")
    border_penalty: Share = Field(0.50, description="Weight of the share of black borders.")
    text_penalty: Share = Field(0.30, description="Weight of the share of the width that seems to be text.")
    relevance: Share = Field(0.75, description="Weight of the score; the rest is that of unlikeness to those chosen.")

    @model_validator(mode="after")
    def _classes_in_order(self) -> Self:
        if not self.half_face <= self.portrait_face <= self.close_up_face:
            raise ValueError("half_face, portrait_face and close_up_face must rise in this order")
        if self.frontal_yaw > self.profile_yaw:
            raise ValueError(f"frontal_yaw {self.frontal_yaw:g} is above profile_yaw {self.profile_yaw:g}")
        return self
