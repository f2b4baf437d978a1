"""Counts what a text is made of."""

import re
from collections import Counter

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SENTENCE = re.compile(r"[.!?…]+(?:\s|$)")
WORDS_A_MINUTE = 238  # silent reading of English, Brysbaert 2019, https://doi.org/10.1016/j.jml.2019.104047


def run(args: dict) -> dict:
    text = args["text"]
    words = WORD.findall(text)
    lower = [word.lower() for word in words]
    # The most frequent first, and in the order of the alphabet among equals.
    common = sorted(Counter(lower).items(), key=lambda item: (-item[1], item[0]))
    sentences = len(SENTENCE.findall(text.strip())) or int(bool(words))
    return {
        "characters": len(text),
        "characters_without_spaces": sum(not character.isspace() for character in text),
        "words": len(words),
        "unique_words": len(set(lower)),
        "sentences": sentences,
        "lines": len(text.splitlines()),
        "average_word_length": round(sum(map(len, words)) / len(words), 2) if words else 0,
        "reading_seconds": round(len(words) * 60 / WORDS_A_MINUTE),
        "most_common": [{"word": word, "count": count} for word, count in common[: args["top"]]],
    }
