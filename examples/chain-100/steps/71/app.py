"""Step 71 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 71) % 1000003
