module deps_go

go 1.18
