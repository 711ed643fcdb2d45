"""Step 69 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 69) % 1000003
