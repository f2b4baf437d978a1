def run(args: dict) -> dict:
    """Called with the parameters that the manifest names; what it returns is the result."""
    return {"greeting": f"Hello, {args['name']}!"}
