"""Deep networks: trained with PyTorch in pure steps, sealed as an audited graph, predicted with ONNX Runtime."""
