"""Branch 2, third of three: one verdict over all sentences."""


def lambda_handler(event, context):
    longest = max(event, default=0)
    return {
        "sentences": len(event),
        "words": sum(event),
        "longest": longest,
        "easy": longest <= 20,
    }
