FROM scratch
COPY tool /tool
ENTRYPOINT ["/tool"]
