"""Branch 2, second of three: how many words each sentence has."""


def lambda_handler(event, context):
    return [len(sentence.split()) for sentence in event]
