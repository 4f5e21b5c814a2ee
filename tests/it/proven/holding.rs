//! Partners that fill what may wait, while nobody takes it.
