//! The control plane: projects, keys, heartbeats, channels and lists, in portable SQL.
