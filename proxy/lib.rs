//! Panoptes.
