//! A local user who writes to many domains, or to one whose servers stay silent.
