//! The host: engines, instances, linking, routing, HTTP ingress, admin API.
