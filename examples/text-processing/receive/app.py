"""Takes the text in and makes every run of white space one blank."""


def lambda_handler(event, context):
    return {"text": " ".join(event["text"].split())}
