//! Tools in containers: generated Dockerfiles, the engine, hardened runs.
