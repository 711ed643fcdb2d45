"""Step 47 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 47) % 1000003
