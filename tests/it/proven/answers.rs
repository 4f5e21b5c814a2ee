//! A partner that makes the edge answer, and reads little or nothing of it.
