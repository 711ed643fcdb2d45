"""Step 60 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 60) % 1000003
