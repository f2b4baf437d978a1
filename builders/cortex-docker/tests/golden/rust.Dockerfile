error: `crate` cannot run in a container: no Dockerfile is generated for `runtime: rust`
hint: leave out `backend: docker`, or write a `Dockerfile` and name it in `build.dockerfile`
