"""``rnncli schema``."""


def schema() -> None:
    """Print the JSON Schema of the config.

    For editors: with the YAML language server, the first line
    `# yaml-language-server: $schema=rnncli.schema.json` completes and checks a config as it is written.
    """
    import json
    import sys

    from rnncli.config.schema import Config

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
