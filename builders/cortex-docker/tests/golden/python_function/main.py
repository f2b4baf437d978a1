def run(args):
    return {"text": args["text"].upper()}
