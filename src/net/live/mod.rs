//! What is known of each connection, and how to reach it; and what was said of it lately.

pub mod attempts;
pub mod facts;
pub mod knocks;
pub mod last_reload;
pub mod log_limiter;
pub mod mailbox;
pub mod refused_link;
pub mod registry;
pub mod sessions;
pub mod told;
pub mod traces;
pub mod trail;
