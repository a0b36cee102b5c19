`storeType` names a store that is found as a Twisted plugin; `default` (Apache's files) and `memory` are two of them, and a start with an unknown one is refused with the names there are.
