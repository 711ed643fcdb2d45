"""Step 81 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 81) % 1000003
