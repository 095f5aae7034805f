"""What torch's users write by habit and isn't here, and what to write instead: the end of an AttributeError."""

from __future__ import annotations

#: Of Tensors; a method that is a function here needs no entry.
FOR_TENSORS = {
    "clone": "x * 1 is a recorded copy, x.data.clone() a constant one",
    "cpu": "move the array: x.data.cpu()",
    "cuda": 'make it on the device, Tensor(x.data.to("cuda")), or move the module: model.to("cuda")',
    "double": "make it of another dtype, Tensor(x.data.double()), or convert the module: model.to(dtype=torch.float64)",
    "float": "make it of another dtype, Tensor(x.data.float()), or convert the module: model.to(dtype=torch.float32)",
    "half": "make it of another dtype, Tensor(x.data.half()), or convert the module: model.to(dtype=torch.float16)",
    "norm": "write (x * x).sum().sqrt()",
    "std": "write x.var().sqrt()",
    "to": "make it anew, Tensor(x.data.to(…)), or move the module: model.to(…)",
}

#: Of Modules.
FOR_MODULES = {
    "apply": "write a loop: for module in model.modules(): …",
    "cpu": 'write model.to("cpu")',
    "cuda": 'write model.to("cuda")',
    "double": "write model.to(dtype=torch.float64)",
    "float": "write model.to(dtype=torch.float32)",
    "half": "write model.to(dtype=torch.float16)",
    "register_buffer": "set an attribute: self.name = Buffer(array)",
    "register_parameter": "set an attribute: self.name = Parameter(array)",
    "requires_grad_": "write model.freeze(), or model.freeze(False)",
}
