//! A partner that asks for more and more pairs by dialback.
