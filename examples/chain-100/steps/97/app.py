"""Step 97 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 97) % 1000003
