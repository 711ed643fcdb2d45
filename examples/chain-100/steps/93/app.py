"""Step 93 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 93) % 1000003
