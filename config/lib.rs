//! The typed configuration of Panoptes.
