module pool_go

go 1.18
