"""Version 1 of the contract: messages and gRPC stubs, generated from protos/signalbox/v1."""
