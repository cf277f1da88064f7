"""A floor: Lambda's runtime and nothing else."""


def lambda_handler(_event: object, _context: object) -> dict[str, int]:
    return {"statusCode": 204}
