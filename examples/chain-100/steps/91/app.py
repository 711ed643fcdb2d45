"""Step 91 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 91) % 1000003
