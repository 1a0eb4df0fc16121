#Requires -Version 5.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Gỡ tác nhân Hạ Tầng đã cài bằng install.ps1, không để lại gì. / Removes what install.ps1 installed, and everything of it.

.DESCRIPTION
  powershell.exe -NoProfile -ExecutionPolicy Bypass -File uninstall.ps1

Máy cài lại sau này được nhận ra theo phần cứng. / A machine that is installed again is recognised by its hardware.
#>
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Name = 'hatang-agent'

function Remove-Folder([string]$Path) {
    if (-not (Test-Path -LiteralPath $Path)) {
        return
    }
    $item = Get-Item -LiteralPath $Path -Force
    if ($item.Attributes -band [IO.FileAttributes]::ReparsePoint) {
        [IO.Directory]::Delete($Path) # the link, never what it leads to
        return
    }
    Remove-Item -LiteralPath $Path -Recurse -Force
}

if (Get-Service -Name $Name -ErrorAction SilentlyContinue) {
    Stop-Service -Name $Name -Force
    $said = & sc.exe delete $Name
    if ($LASTEXITCODE -ne 0) {
        Write-Host "uninstall.ps1: sc.exe delete: $($said -join ' ')" -ForegroundColor Red
        exit 1
    }
}
Remove-Folder (Join-Path $env:ProgramFiles $Name)
Remove-Folder (Join-Path $env:ProgramData $Name)
$key = "HKLM:\SOFTWARE\$Name"
if (Test-Path -LiteralPath $key) {
    Remove-Item -LiteralPath $key -Recurse -Force
}
Write-Host 'đã gỡ / removed'
exit 0
