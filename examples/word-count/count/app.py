"""Counts the words of one chunk. A word is a run of A-Z and a-z, in lower case, as bytes.

A word belongs to the chunk that holds its first letter, so a chunk leaves out the rest of a word
that began before it and reads on to the end of a word that it began.
"""
import re
import zlib
from collections import Counter

WORD = re.compile(rb"[A-Za-z]+")
READ_ON = 256


def lambda_handler(event, context):
    counts = Counter()
    for name, offset, length in event["pieces"]:
        counts.update(word.lower() for word in words(name, offset, length))
    parts = [{} for _ in range(event["partitions"])]
    for word, count in counts.items():
        # crc32 and not hash(): the same word must meet the same partition in every process.
        parts[zlib.crc32(word) % len(parts)][word.decode()] = count
    return {"top": event["top"], "parts": parts}


def words(name, offset, length):
    with open(name, "rb") as file:
        before = b""
        if offset > 0:
            file.seek(offset - 1)
            before = file.read(1)
        text = file.read(length)
        if WORD.match(before):
            text = text[len(letters_at_start(text)):]
        if WORD.match(text[-1:]):
            text += rest_of_word(file)
    return WORD.findall(text)


def rest_of_word(file):
    rest = b""
    while block := file.read(READ_ON):
        letters = letters_at_start(block)
        rest += letters
        if len(letters) < len(block):
            break
    return rest


def letters_at_start(text):
    match = WORD.match(text)
    return match.group() if match else b""
